"""What an assignment is: its variants, its statement, its equations, its rows, and how a notebook is read."""
