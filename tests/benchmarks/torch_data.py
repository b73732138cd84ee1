"""The input pipeline that bench_data compares with: torch's DataLoader, Pillow and torchvision.

Imports nothing of archspec, as its Python may be another: torch_data.py FOLDER WORKERS AUGMENTED.
"""

import sys
import time

SIDE, BATCH, EPOCHS = 224, 64, 3
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main(folder: str, workers: int, is_augmented: bool) -> None:
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    jitter = [transforms.ColorJitter(0.4, 0.4, 0.4)] if is_augmented else []
    steps = [
        transforms.RandomResizedCrop(SIDE),
        transforms.RandomHorizontalFlip(),
        *jitter,
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    loader = DataLoader(
        ImageFolder(folder, transforms.Compose(steps)),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=True,
    )
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        if epoch:  # the first one starts the workers
            print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True")
