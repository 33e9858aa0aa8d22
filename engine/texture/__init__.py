"""From photo pixels to a complete, light-free UV albedo."""
