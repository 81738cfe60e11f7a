"""What the desk does: one public verb each."""
