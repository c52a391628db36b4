"""What tests use in place of the outside world, and the checks that several of them share."""
