#!/bin/sh
# What an intruder has others fetch and run; it says who runs it.
id
uname -n
