"""Words that other tools have for what is here, so that a wrong word is answered by the right one.

A suggestion must mean what was meant: a slip of the pen is suggested as what it is nearest to, but
a word that names another function of the field never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.errors import find_slip, use
from archspec.ops import FUNCTIONS, OPS

CALLS: Mapping[str, tuple[str, ...]] = {
    "swish": ("silu",), "hardswish": ("hswish",), "hardsigmoid": ("hsigmoid",),
    "lrelu": ("leaky_relu",), "leaky": ("leaky_relu",), "parametricrelu": ("prelu",),
    "logistic": ("sigmoid",), "tanhyperbolic": ("tanh",),
    "linear": ("dense", "none"), "identity": ("identity", "none"), "fc": ("dense",),
    "fullyconnected": ("dense",), "innerproduct": ("dense",), "gemm": ("dense",),
    "selfattention": ("attention",), "multiheadattention": ("attention",), "mha": ("attention",),
    "convolution": ("conv",), "deconv": ("conv_transpose",),
    "deconvolution": ("conv_transpose",), "transposedconv": ("conv_transpose",),
    "transposeconv": ("conv_transpose",), "convtransposed": ("conv_transpose",),
    "transposedconvolution": ("conv_transpose",), "upconv": ("conv_transpose",),
    "bn": ("batch_norm",),
    "batchnormalization": ("batch_norm",), "ln": ("layer_norm",),
    "layernormalization": ("layer_norm",), "gn": ("group_norm",),
    "groupnormalization": ("group_norm",), "instancenormalization": ("instance_norm",),
    "rmsnormalization": ("rms_norm",), "lrn": ("local_response_norm",),
    "localresponsenormalization": ("local_response_norm",), "depthtospace": ("pixel_shuffle",),
    "pixelunshuffle": ("space_to_depth",), "focus": ("space_to_depth",),
    "maxpooling": ("max_pool",),
    "averagepool": ("avg_pool",), "averagepooling": ("avg_pool",), "avgpooling": ("avg_pool",),
    "meanpool": ("avg_pool",), "adaptiveaveragepool": ("adaptive_avg_pool",),
    "gap": ("global_avg_pool",),
    "globalaveragepool": ("global_avg_pool",), "globalaveragepooling": ("global_avg_pool",),
    "globalavgpooling": ("global_avg_pool",), "gmp": ("global_max_pool",),
    "globalmaxpooling": ("global_max_pool",), "stochasticdepth": ("drop_path",),
    "shuffle": ("channel_shuffle",), "shufflechannel": ("channel_shuffle",),
    "shufflechannels": ("channel_shuffle",), "upsampling": ("upsample",), "upscale": ("upsample",),
    "cat": ("concat",), "concatenate": ("concat",), "concatenation": ("concat",),
    "sum": ("add",), "plus": ("add",), "multiply": ("mul",), "product": ("mul",),
    "times": ("mul",), "minus": ("sub",), "subtract": ("sub",), "divide": ("div",),
    "maximum": ("max",), "minimum": ("min",), "chunk": ("split",),
    "zeropad": ("pad",), "zeropadding": ("pad",), "padding": ("pad",),
    "zeros": ("zero",), "zeroize": ("zero",),
    "negative": ("neg",), "negate": ("neg",), "absolute": ("abs",),
    "exponential": ("exp",), "squareroot": ("sqrt",), "inverse": ("reciprocal",),
    "noop": ("identity",), "nop": ("identity",), "skip": ("identity",),
    "activation": ("act",), "nonlinearity": ("act",),
    "se": ("SqueezeExcite",), "seblock": ("SqueezeExcite",), "semodule": ("SqueezeExcite",),
    "squeezeexcite": ("SqueezeExcite",), "mbconv": ("MBConv",), "convnormact": ("ConvNormAct",),
    "bottleneck": ("Bottleneck",), "basicblock": ("BasicBlock",),
    "classifier": ("Classifier",), "depthwiseconvnormact": ("DepthwiseConvNormAct",),
    "squeezeandexcite": ("SqueezeExcite",), "squeezeexcitation": ("SqueezeExcite",),
    "squeezeandexcitation": ("SqueezeExcite",), "invertedresidual": ("MBConv",),
    "invertedbottleneck": ("MBConv",), "convbn": ("ConvNormAct",), "convbnact": ("ConvNormAct",),
    "convbnrelu": ("ConvNormAct",), "convnormrelu": ("ConvNormAct",),
    "convbnactivation": ("ConvNormAct",), "bottleneckblock": ("Bottleneck",),
}  # fmt: skip
"""What is called something else here, by the word without case, _ and 2d; both, where an op and a
function have one word elsewhere."""

_DEPTHWISE = 'use "conv" with "groups": "=in_channels"'
_SEPARABLE = 'use "conv" with "groups": "=in_channels", then "conv" with "kernel": 1'
OTHERWISE: Mapping[str, str] = {
    **dict.fromkeys(("depthwise", "depthwiseconv", "dwconv", "dw", "convdw"), _DEPTHWISE),
    **dict.fromkeys(("separableconv", "sepconv", "depthwiseseparableconv"), _SEPARABLE),
    **dict.fromkeys(("groupconv", "groupedconv"), 'use "conv" with "groups"'),
    **dict.fromkeys(("dilatedconv", "dilconv", "atrousconv"), 'use "conv" with "dilation"'),
    **dict.fromkeys(("pointwise", "pointwiseconv", "pwconv"), 'use "conv" with "kernel": 1'),
    **dict.fromkeys(
        ("weightstandardization", "wsconv", "stdconv"),
        'use "conv" with "weight_standardization": true',
    ),
    "view": 'use "reshape", or "flatten" for one vector of all values',
    **dict.fromkeys(("reducemean", "mean"), 'use "reduce" with "function": "mean"'),
    "reducesum": 'use "reduce" with "function": "sum"',
    "reducemax": 'use "reduce" with "function": "max"',
    "reducel2": 'use "reduce" with "function": "norm2"',
    **dict.fromkeys(
        ("resize", "interpolate"), 'use "upsample" with "size"'
    ),
}  # fmt: skip
"""What ops that are here make together, or with an attribute."""

ABSENT = frozenset((
    "crossattention", "transformer",
    "weightnorm", "spectralnorm", "lpnorm", "selu", "celu",
    "rrelu", "crelu", "relu1", "thresholdedrelu", "softsign", "softshrink",
    "hardshrink", "tanhshrink", "logsigmoid", "logsoftmax", "softmin", "hardtanh", "glu",
    "swiglu", "geglu", "reglu", "threshold", "lstm", "gru", "rnn", "embedding", "maxunpool",
    "avgunpool", "unpool", "minpool", "lppool", "dropblock", "alphadropout", "featuredropout",
    "spatialdropout", "dropconnect", "conv1d", "conv3d", "dropout2d", "deformconv", "dynamicconv",
    "involution", "maxpool1d", "maxpool3d", "avgpool1d", "avgpool3d", "batchnorm1d",
    "batchnorm3d", "dropout3d", "transpose",
    "pow", "log", "clamp",
    "clip", "constant", "gather", "squeeze", "unsqueeze", "sin", "gaussian",
    "cosine", "maxout", "einsum", "bilinear",
))  # fmt: skip
"""Functions of the field that are not in the language and near to none that is."""

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("filters", "outchannels", "outputchannels", "numfilters", "units", "outfeatures",
         "features", "planes", "numoutput", "width", "channels"),
        ("channels", "width"),
    ),
    **dict.fromkeys(("kernelsize", "ksize", "kernelshape", "k", "size"), ("kernel",)),
    **dict.fromkeys(("strides", "step", "subsample"), ("stride",)),
    **dict.fromkeys(("pad", "pads", "padmode", "autopad"), ("padding",)),
    **dict.fromkeys(("dilations", "dilationrate", "atrous"), ("dilation",)),
    **dict.fromkeys(("group", "numgroups", "ngroups"), ("groups",)),
    **dict.fromkeys(("usebias", "hasbias"), ("bias",)),
    "eps": ("epsilon",),
    **dict.fromkeys(("p", "prob", "probability", "droprate", "ratio"), ("rate",)),
    **dict.fromkeys(("negativeslope", "slope"), ("alpha",)),
    **dict.fromkeys(("scalefactor", "factor", "scales"), ("scale",)),
    **dict.fromkeys(("method", "interpolation"), ("mode",)),
    **dict.fromkeys(("activation", "nonlinearity", "func", "actlayer"), ("function", "act")),
    **dict.fromkeys(("input", "inputs", "bottom", "parent", "parents"), ("from",)),
    **dict.fromkeys(("id", "label"), ("name",)),
    **dict.fromkeys(("comment", "description", "note", "notes"), ("doc",)),
    **dict.fromkeys(("count", "copies", "times", "number"), ("repeat",)),
    **dict.fromkeys(("if", "condition", "enabled"), ("when",)),
    **dict.fromkeys(("initvalue", "init", "initvalues"), ("initial",)),
    **dict.fromkeys(("type", "layer", "kind", "module"), ("op",)),
    **dict.fromkeys(("layers", "nodes", "sequence"), ("body",)),
    **dict.fromkeys(("merge", "mergemode"), ("join",)),
    **dict.fromkeys(("skip", "identity"), ("shortcut",)),
    **dict.fromkeys(("params", "parameters", "variables"), ("args",)),
    **dict.fromkeys(("imports", "include"), ("import",)),
    "base": ("extends",),
}  # fmt: skip

COMMANDS: Mapping[str, str] = {
    "check": "validate", "verify": "validate", "summary": "stats", "info": "stats",
    "count": "stats", "flops": "stats", "params": "stats", "draw": "plot", "show": "plot",
    "visualize": "plot", "visualise": "plot", "graph": "plot", "convert": "export",
    "evaluate": "eval", "test": "eval", "classify": "predict", "fingerprint": "hash",
    "init": "new", "create": "new", "bench": "profile", "benchmark": "profile", "fit": "train",
    "nas": "search", "build": "compile", "compare": "diff", "ls": "list",
    "normalize": "expand", "env": "doctor",
}  # fmt: skip


def plain(word: str) -> str:
    """A word as the tables have it: Conv2d, conv_2d and CONV2D are one."""
    bare = "".join(character for character in word.lower() if character.isalnum())
    return bare.removesuffix("2d")


def suggest_call(word: str, known: Iterable[str]) -> str:
    """ "; use 'silu'" for what has another name here, "; did you mean 'conv'?" for a slip; an empty
    string for another function, which nothing here may be taken for."""
    words = list(known)
    bare = plain(word)
    if word.lower().replace("_", "") in ABSENT:
        return ""
    same = [*(name for name in (*words, *FUNCTIONS, *OPS) if plain(name) == bare)]
    for name in (*same, *CALLS.get(bare, ())):
        if name in words:
            return use(repr(name))
    for name in (*same, *CALLS.get(bare, ())):
        if name in FUNCTIONS:
            return use(f'{{"op": "act", "function": "{name}"}}')
        if name in OPS:
            return use(f"the op {name!r}")
        if name[0].isupper():
            return use(f"the template {name!r}")
    if bare in OTHERWISE:
        return f"; {OTHERWISE[bare]}"
    if bare in ABSENT or bare in CALLS:
        return ""
    return find_slip(word, words)


def suggest_attribute(word: str, known: Iterable[str]) -> str:
    """ "; use 'kernel'" for kernel_size, or an empty string."""
    words = list(known)
    for name in ATTRIBUTES.get(plain(word), ()):
        if name in words:
            return use(repr(name))
    return ""
