"""How Encore is set up: in the cloud (the numbered scripts) and on one machine (`local`)."""
