"""Our implementations timed beside other people's, in one run."""
