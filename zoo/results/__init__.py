"""Published results: their receipts, how they are made and reproduced, and measurements of techniques and data."""
