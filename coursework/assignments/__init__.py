"""The graded assignments, by name: each module has one `ASSIGNMENT`."""
