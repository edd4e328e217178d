"""The front end: rules files to a plan, one file per stage.

`load` is the way in and shows the order of the stages; `plan` is what comes out.
"""
