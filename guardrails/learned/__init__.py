"""Small trained heads and the features that they judge by."""
