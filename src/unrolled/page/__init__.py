"""What a page shows: sources, claims and tables, plots in one style, diagrams."""
