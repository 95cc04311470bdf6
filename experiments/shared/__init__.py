"""What several experiments share: command line, drawing, photographs, estimators, references."""
