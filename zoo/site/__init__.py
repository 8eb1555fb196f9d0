"""The site: pages generated from the registry, cards, recipes, receipts and committed pictures. No TensorFlow.

`pages` makes the Markdown, `hooks` gives it to MkDocs, `assets` (the only module that builds networks) makes what is
committed in the plugins' packages below `site/<name>/`.
"""
