"""What looks into a network: gradients, probes, memory, paths, proofs of equality, explanations."""
