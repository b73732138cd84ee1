"""Writes theirs.onnx: a network that PyTorch exports, with weights drawn at random."""

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


torch.manual_seed(1)
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    Residual(16),
    Residual(16),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    Residual(32),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(32, 10),
)
torch.onnx.export(
    net.eval(), (torch.zeros(1, 1, 8, 8),), "theirs.onnx", dynamo=False, input_names=["image"]
)
