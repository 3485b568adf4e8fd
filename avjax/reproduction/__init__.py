"""AFEW's raw clips -> the paper's tables and figures, in one go."""
