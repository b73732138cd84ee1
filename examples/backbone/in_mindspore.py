"""The backbone as any other cell of MindSpore."""

import mindspore
import numpy as np
from backbone_mindspore import Backbone

maps = Backbone().set_train(False)(mindspore.Tensor(np.zeros((1, 3, 64, 64), np.float32)))
print([m.shape for m in maps])
