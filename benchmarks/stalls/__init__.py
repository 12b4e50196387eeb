"""How often ``StallWarning`` is wrong: false alarms in healthy runs, and stalls that it misses."""
