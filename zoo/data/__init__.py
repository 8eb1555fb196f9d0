"""From a data set on disk to arrays for a network: decoding, the cache, splits. `loading` is the way in."""
