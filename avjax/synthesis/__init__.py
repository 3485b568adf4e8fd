"""Raw clips whose truth is known: a voice and a face, drawn from a seed."""
