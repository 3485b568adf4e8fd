"""A model at work while a recording goes on.

causal       the network, one frame after another
live_stream  sound and pictures with time stamps -> moments
running      statistics over all frames so far
sources      a file at its own pace; a camera and a microphone
live_page    a page on this machine that shows it
"""
