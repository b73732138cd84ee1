"""The backbone below a neck, as any other module of PyTorch."""

import torch
from backbone_torch import Backbone
from torch import nn


class Neck(nn.Module):
    """Brings three maps to one size and adds them up, as the top of a feature pyramid does."""

    def __init__(self, channels, width):
        super().__init__()
        self.backbone = Backbone()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)

    def forward(self, image):
        maps = self.backbone(image)
        print([tuple(m.shape) for m in maps])
        size = maps[0].shape[2:]
        return sum(
            nn.functional.interpolate(lateral(m), size=size)
            for lateral, m in zip(self.lateral, maps, strict=True)
        )


torch.manual_seed(1)
print(tuple(Neck((256, 512, 1024), 64).eval()(torch.zeros(1, 3, 64, 64)).shape))
