"""Tools that test the zoo and its plugins."""
