"""2.15 "RMSProp", "Adam": their successors do not share their failure."""
