"""Images for a network, from files to arrays as its spec's `input` asks for them, and how often it
is right about them. Pillow and numpy alone: training and deployment read images here, so that both
see the same.

Rooms: steps (what becomes of an image), preprocess (one image, by Pillow), source (what any kind of
data set is), folder (trees of files), checks (what is asked of them before anything runs), batches,
classes, scores, guesses.
"""
