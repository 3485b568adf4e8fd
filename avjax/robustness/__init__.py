"""How much a finished run loses when its test clips are disturbed.

conditions       which disturbances there are, and how strong
recordings       the clips of a store, disturbed: their sound measured anew
study            runs under all conditions; every result is kept
accuracy_curves  its table and its picture
"""
