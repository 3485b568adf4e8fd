"""Reproduction of the paper: from AFEW's raw clips to tables and figures."""
