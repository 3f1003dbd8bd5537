"""Where machines come from. One small protocol (base), one package for each kind of machine."""
