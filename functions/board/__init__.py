"""The live board: charts of who listens to what, where, when and on which device."""
