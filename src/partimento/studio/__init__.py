"""The studio: a local page on which music is composed, heard, seen and changed, and the JSON it is made of.

`app.create` makes the application; composing, parsing and training are done in child processes (`worker`), which the
server (`jobs`) feeds in turn. What is made is kept in a library (`library`). See docs/studio-api.md.
"""
