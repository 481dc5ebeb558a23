"""What runs and judges: a student's code in its sandbox, one submission, and a class that survives a kill."""
