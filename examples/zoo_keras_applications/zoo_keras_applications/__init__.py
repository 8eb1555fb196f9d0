"""Other models of keras.applications, each under its own name: one module for all of them."""

import keras

from zoo import hookimpl

MODELS = {
    "mobilenet": keras.applications.MobileNet,
    "mobilenet-v2": keras.applications.MobileNetV2,
    "densenet121": keras.applications.DenseNet121,
    "efficientnet-b0": keras.applications.EfficientNetB0,
    "xception": keras.applications.Xception,
}
SCALES_ITSELF = "efficientnet-b0"


@hookimpl
def zoo_build(spec):
    """From images in 0..255: -1..1 is what these networks were published with."""
    x = inputs = keras.Input((spec.height, spec.width, spec.channels))
    if spec.name != SCALES_ITSELF:
        x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    make = MODELS[spec.name]
    return make(input_tensor=x, weights=None, classes=spec.classes, classifier_activation=None, name=spec.name)
