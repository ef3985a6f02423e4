"""Lab hosts: network namespaces with their own root, processes, host name and (some) sysctls."""
