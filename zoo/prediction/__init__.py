"""Answers for image files: from the model file of a run or of a package, and by ImageNet's classes."""
