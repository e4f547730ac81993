# %% canonical right="canonical"
def activation_model_of(model: keras.Model, names: list[str]) -> keras.Model:
    wanted = {name: model.get_layer(name).output for name in names}
    return keras.Model(inputs=model.inputs, outputs=wanted)


# %% looks for the layers in a loop right="other style"
def activation_model_of(model: keras.Model, names: list[str]) -> keras.Model:
    tensors = {}
    for layer in model.layers:
        if layer.name in names:
            tensors[layer.name] = layer.output
    return keras.models.Model(model.input, tensors)


# %% a list in place of a dict wrong="one output for each name"
def activation_model_of(model, names):
    return keras.Model(model.inputs, [model.get_layer(name).output for name in names])


# %% every layer that there is wrong="one output for each name"
def activation_model_of(model, names):
    tensors = {layer.name: layer.output for layer in model.layers[1:]}
    return keras.Model(model.inputs, tensors)


# %% what the layers read wrong="what the layers put out"
def activation_model_of(model, names):
    tensors = {name: model.get_layer(name).input * 1.0 for name in names}
    return keras.Model(model.inputs, tensors)


# %% the last output under every name wrong="what the layers put out"
def activation_model_of(model, names):
    return keras.Model(model.inputs, {name: model.output * 1.0 for name in names})


# %% a copy with the weights of today wrong="uses the layers of the given model"
def activation_model_of(model, names):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    tensors = {name: twin.get_layer(name).output for name in names}
    return keras.Model(twin.inputs, tensors)


# %% one layer after the other wrong="also where the model branches"
def activation_model_of(model, names):
    x, tensors = model.inputs[0], {}
    for layer in model.layers[1:]:
        x = layer(x)
        if layer.name in names:
            tensors[layer.name] = x
        if len(tensors) == len(names):
            break
    return keras.Model(model.inputs, tensors)


# %% gives back the tensors wrong="is a model"
def activation_model_of(model, names):
    return {name: model.get_layer(name).output for name in names}
