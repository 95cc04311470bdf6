"""A on a fine grid, B on a coarse one: how well one sigma is found between them."""
