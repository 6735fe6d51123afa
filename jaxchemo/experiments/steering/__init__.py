"""Sources of an attractant that are opened and closed so that cells go where they should, and the figure."""
