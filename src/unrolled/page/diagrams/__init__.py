"""Drawings of recurrent graphs as SVG, in one visual language: a file a chapter, and `drawing` with what they share.

State flows from left to right, inputs enter from below, outputs leave at the top, and an arrow that carries the state
is thicker than the others. Ink is dark on nothing, so that a page can show a drawing on white and, inverted, on black.
"""
