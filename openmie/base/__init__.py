"""openmie-base: the model that is installed with openmie, for entities and relations with labels given at call time."""
