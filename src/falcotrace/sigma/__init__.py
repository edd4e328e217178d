"""Rules of Sigma as rules of Falco: a second front end to the same plan.

    documents -> values -> fields -> logic -> convert -> rule_text -> rules.load

`load` is the way in; nothing here decides what a condition means, for what comes out is the text of
a rule in Falco's language, which `rules` reads like any other. pySigma reads the YAML, the
modifiers and the condition; it is imported when the first Sigma file is met.
"""
