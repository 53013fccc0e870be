"""CIFAR-10 and CIFAR-100: fetched from several sources, checked, in one canonical form."""
