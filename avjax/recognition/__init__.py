"""Trained networks at work: a file or arrays -> emotions, and what they admit.

recogniser   a trained model with its extractor, ready for clips
loading      a run folder or a bundle -> a recogniser
recognised   what it says of one clip
remarks      what makes that doubtful
"""
