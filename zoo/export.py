# STUB by the lead, to be overwritten by its owner
import numpy as np
def assign(variables, arrays):
    for v,a in zip(variables, arrays, strict=True): v.assign(a)
def save_weights(path, variables):
    path.parent.mkdir(exist_ok=True,parents=True); np.savez(path, **{f"{i:03}{v.name}":np.asarray(v) for i,v in enumerate(variables)})
def load_weights(path):
    with np.load(path) as f: return {k:f[k] for k in f.files}
def export_model(*a): return {}
