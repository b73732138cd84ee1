"""PyTorch as a backend (training.backend); the files are named as mindspore's are."""
