"""The training engine and what it is made of: input, augmentation, optimizers, checkpoints. `engine` holds the loop."""
