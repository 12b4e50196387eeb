"""What all reports share: figures, pages, intervals."""
