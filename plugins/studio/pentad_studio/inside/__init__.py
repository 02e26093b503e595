"""The page Inside: what a model shows of itself while it reads a text, by the optional contract `Model.inspect`."""
