"""Long runs (`make soak`): each file one subject, its tests marked `soak`."""
