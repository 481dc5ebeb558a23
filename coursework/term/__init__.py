"""What an instructor does in a term: release, collect, keep the gradebook, give feedback, export grades."""
