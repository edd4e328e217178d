"""Exceptions proposed for rules that are noisy on captures which are known to be good.

    noise -> shapes -> candidates -> cover -> proposal -> verify

`noise.py` counts what fired and with which values, `shapes.py` says which fields an exception may
have and what is too broad, `candidates.py` fills them, `cover.py` chooses few that cover the noise,
`propose.py` refuses those that would silence a fixture, `verify.py` asks both engines whether the
result does what it says. `text.py` prints it as a rules file of Falco.
"""
