"""A model at work while a recording goes on.

causal   the network, one frame after another
"""
